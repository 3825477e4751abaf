"""Git repositories, read with the git program."""
