"""The numbers of design section 9, each as a ratio to something measured in the same run."""
