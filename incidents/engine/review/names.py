"""Which function a call really calls: import aliases, plain renames, getattr and __import__ are followed."""

from __future__ import annotations

import ast


class Names:
    """The names of one module, as far as they can be known without running it."""

    def __init__(self, tree: ast.Module) -> None:
        self._known: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._known.update(
                    {item.asname or item.name.split(".")[0]: item.name if item.asname else item.name.split(".")[0]
                     for item in node.names}
                )  # fmt: skip
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                self._known.update(
                    {item.asname or item.name: f"{module}.{item.name}" for item in node.names}
                )
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(
                node.value, ast.Name | ast.Attribute | ast.Call
            ):
                self._rename(node.targets, self.of(node.value))

    def _rename(self, targets: list[ast.expr], meaning: str) -> None:
        for target in targets:
            if isinstance(target, ast.Name) and ("." in meaning or meaning in _BARE):
                self._known[target.id] = meaning

    def of(self, node: ast.AST) -> str:
        """Return the dotted name of an expression, with "?" for a part that is computed."""
        match node:
            case ast.Name(id=name):
                return self._known.get(name, name)
            case ast.Attribute(value=value, attr=attribute):
                return f"{self.of(value)}.{attribute}".removeprefix("builtins.")
            case ast.Call(
                func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attribute)), *_]
            ):
                return f"{self.of(value)}.{attribute}".removeprefix("builtins.")
            case ast.Call(
                func=ast.Name(id="__import__"), args=[ast.Constant(value=str(module)), *_]
            ):
                return module
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(module)), *_]
            ):
                return module
            case ast.Call(func=function):
                return f"{self.of(function)}()"
            case ast.Subscript(value=value):
                return f"{self.of(value)}[]"
        return "?"


_BARE = {"eval", "exec", "compile", "__import__"}
