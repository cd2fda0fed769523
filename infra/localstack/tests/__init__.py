"""Tests of the emulator: ``python -m unittest discover`` in the folder above, with the emulator's environment."""
