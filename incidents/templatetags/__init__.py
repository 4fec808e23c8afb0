"""Tags for the templates of incidents."""
