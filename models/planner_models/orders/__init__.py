"""Order books: every order family a file, each written once in Pyomo and stamped."""
