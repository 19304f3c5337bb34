"""From recordings on a disk to the clips that listeners hear."""
