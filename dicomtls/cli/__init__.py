"""The command line: one thin file per command, options declared once, one module that writes."""
