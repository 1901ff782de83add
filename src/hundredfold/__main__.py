"""`python -m hundredfold` is the `hundredfold` command."""

from hundredfold.cli import main

if __name__ == "__main__":
    main()
