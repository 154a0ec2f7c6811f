/* Server-sent events (the HTML standard, 9.2): one event as its lines. */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H

#include "common/bytes.h"

struct event_out {
	const char	*id, *name;	/* NULL: no such line */
	struct slice	 data;
	uint32_t	 retry;		/* ms; 0: no such line */
};

/* Is it what may stand in a line: without CR, LF and NUL? */
int	 event_line_ok(const char *s);
/*
 * Append an event.  Each line of data, which may end with CR, LF or both, gets its
 * own field.  Failure sticks in b.
 */
void	 event_encode(struct buf *b, const struct event_out *e);
/* A message that is not text: base64, as an event named "binary". */
void	 event_encode_binary(struct buf *b, struct slice data);

#endif
