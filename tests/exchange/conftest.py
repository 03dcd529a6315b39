from tests.airfare.conftest import folder, load_folder

__all__ = ["folder", "load_folder"]
