/* Is something JSON text (RFC 8259), as JSON.parse() of a client would have it? */
#ifndef EVENTS_JSON_H
#define EVENTS_JSON_H

#include "common/bytes.h"

#define JSON_DEPTH	512		/* values within values; deeper is refused */

int	 json_valid(struct slice s);

#endif
