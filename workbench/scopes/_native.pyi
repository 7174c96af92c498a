from workbench.scopes._python import Recorder as Recorder
from workbench.scopes._python import Track as Track
from workbench.scopes._python import activate as activate
from workbench.scopes._python import counter as counter
from workbench.scopes._python import mark as mark
from workbench.scopes._python import open_scopes as open_scopes
from workbench.scopes._python import scope as scope
