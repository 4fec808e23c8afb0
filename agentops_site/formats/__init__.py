"""How moments are written where no page says otherwise, as in the console (FORMAT_MODULE_PATH)."""
