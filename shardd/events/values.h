/* Values, as programs have them and as frames have them. */
#ifndef EVENTS_VALUES_H
#define EVENTS_VALUES_H

#include "proto/fasttcp.h"

struct events_serializer;
struct events_value;

/* The bytes of a value. */
struct value_bytes {
	char		 number[8];
	char		*made;		/* by a serializer */
};

/* Make f's data type and data of v: they borrow from it, and from b, which is cleared
 * when f was sent.  0, or -1 with errno: EINVAL, ERANGE, EMSGSIZE. */
int	 value_frame(struct fasttcp_frame *f, const struct events_value *v,
	    const struct events_serializer *how, struct value_bytes *b);
void	 value_bytes_clear(struct value_bytes *b);
/* What a frame has; value_end() when it is done with. */
void	 value_of(struct events_value *v, uint8_t data_type, struct slice data,
	    const struct events_serializer *how);
void	 value_end(struct events_value *v, const struct events_serializer *how);

#endif
