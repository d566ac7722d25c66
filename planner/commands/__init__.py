"""The commands of `planner`: each a few lines over the package, nothing that Python users do not have too."""
