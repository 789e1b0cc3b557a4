"""Commands that come before a run, a module each; imported when the command is used."""
