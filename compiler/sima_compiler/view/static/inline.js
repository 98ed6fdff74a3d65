/* Built from labextension/src by `make views`. Contains preact (MIT); see THIRD_PARTY.md. */
"use strict";(()=>{})();
