"""Output folders: a manifest names the files that are ours, and nothing else is ever replaced or deleted.

The manifest, `.workbench.json`, has the SHA-256 of each file that was written into its folder. A file that is not
named there, or has changed since, is another's. In a folder that an earlier version wrote there is no
manifest: its names count as ours where index.html bears our mark and they are no younger than it.
"""

from workbench.outputs.files import PAGE, InTheWayError, check_export, export
from workbench.outputs.folder import OutputFolder, cannot_write, held

__all__ = ["PAGE", "InTheWayError", "OutputFolder", "cannot_write", "check_export", "export", "held"]
