"""Commands that make a run or read one, a module each; imported when the command is used."""
