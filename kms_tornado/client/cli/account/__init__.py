"""Who the user is: `kmsctl configure`, `login`, `logout`, `whoami`."""
