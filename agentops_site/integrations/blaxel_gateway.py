"""What the edge gateway before a sandbox says when the service in it did not answer."""

from __future__ import annotations

from monitoring.values import Answer

# Words of the edge gateway: they mean that the service itself did not answer.
_GATEWAY = {
    b"UPSTREAM_CONNECT_FAILED": "refused",
    b"UPSTREAM_CONNECT_TIMEOUT": "timeout",
    b"UPSTREAM_TIMEOUT": "timeout",
    b"UPSTREAM_ERROR": "reset",
    b"WORKLOAD_NOT_FOUND": "refused",
    b"WORKLOAD_UNAVAILABLE": "unreachable",
    b"WORKLOAD_FAILED": "unreachable",
    b"ROUTING_UNAVAILABLE": "unreachable",
    b"ROUTE_NOT_FOUND": "unreachable",
    b"AUTHENTICATION_": "unreachable",
    b"FORBIDDEN": "unreachable",
    b"USAGE_LIMIT_EXCEEDED": "unreachable",
}


def of_gateway(answer: Answer) -> Answer:
    """Tell the gateway's own words from the service's: only the latter are an answer of the service."""
    if answer.status not in {401, 403, 404, 429, 502, 503, 504}:
        return answer
    start = answer.body[:2000]
    failure = next((word for code, word in _GATEWAY.items() if code in start), "")
    if not failure and answer.status == 502:
        failure = "refused"  # documented: 502 is what an unanswered port gives
    return Answer(failure=failure, elapsed_ms=answer.elapsed_ms) if failure else answer
