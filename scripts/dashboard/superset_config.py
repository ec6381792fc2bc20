"""What Superset is to know of this machine; serve.sh says the rest by the environment."""

import os

from superset.config import TALISMAN_CONFIG  # type: ignore[import-not-found]

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
# A new database of make_database.py is seen at the next look.
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
# The pages count their visits at a host outside otherwise.
_POLICY = TALISMAN_CONFIG["content_security_policy"]
_POLICY["img-src"] = [one for one in _POLICY["img-src"] if "scarf" not in one]
