"""Networks of trained agents: one architecture a file, their portable files, and the policies they make."""
