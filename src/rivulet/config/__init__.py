"""The configuration: its model, its reading and its checking.

Importing this package is cheap: neither TVM nor torch nor torchvision is loaded.
"""

from rivulet.config.load import ConfigError, check_duplicate_keys, load_config, validate_config
from rivulet.config.model import Config

__all__ = ["Config", "ConfigError", "check_duplicate_keys", "load_config", "validate_config"]
