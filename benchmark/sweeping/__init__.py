"""Many runs from one file: planned, shared out, and gone on with where they were left."""
