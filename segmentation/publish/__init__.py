"""The checks of a run, and the one commit that makes it the current one."""
