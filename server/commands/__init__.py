"""The subcommands of ``livedub``, a file each."""
