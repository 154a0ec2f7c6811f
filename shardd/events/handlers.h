/* What a program does with the events that clients emit to the server. */
#ifndef EVENTS_HANDLERS_H
#define EVENTS_HANDLERS_H

#include "common/bytes.h"
#include "common/map.h"
#include "shardd/kennel-events.h"

struct handler {
	struct map_node	 by_name;	/* events->handlers */
	events_handler	*run;		/* NULL: none for messages */
	void		*arg;
	const struct events_stream_ops *stream;	/* NULL: none for streams */
	void		*stream_arg;
	char		 name[];
};

/* Of that name, or the one for all others; NULL: neither. */
const struct handler *handlers_find(const struct events *e,
	    struct slice name);
void	 handlers_clear(struct events *e);

#endif
