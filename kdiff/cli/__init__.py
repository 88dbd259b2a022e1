"""kdiff's command line: the options, the commands, and the settings that they read."""
