/* Shared counted bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/payload.h"

static struct payload *
payload_new(size_t len)
{
	struct payload	*p;

	if (len > SIZE_MAX - sizeof(*p) - WS_HEAD_MAX) {
		errno = ENOMEM;
		return (NULL);
	}
	if ((p = malloc(sizeof(*p) + WS_HEAD_MAX + len)) == NULL)
		return (NULL);
	p->refs = 1;
	p->len = len;
	return (p);
}

struct payload *
payload_frame(enum ws_opcode opcode, struct slice data)
{
	struct payload	*p;
	uint8_t		 head[WS_HEAD_MAX];

	if ((p = payload_new(data.len)) == NULL)
		return (NULL);
	p->opcode = (uint8_t)opcode;
	p->head_len = (uint8_t)ws_head(head, opcode, data.len, 0);
	memcpy(p->bytes + WS_HEAD_MAX - p->head_len, head, p->head_len);
	if (data.len > 0)
		memcpy(p->bytes + WS_HEAD_MAX, data.data, data.len);
	return (p);
}

struct payload *
payload_raw(struct slice data)
{
	struct payload	*p;

	if ((p = payload_new(data.len)) == NULL)
		return (NULL);
	p->opcode = 0;
	p->head_len = 0;
	if (data.len > 0)
		memcpy(p->bytes + WS_HEAD_MAX, data.data, data.len);
	return (p);
}

struct payload *
payload_ref(struct payload *p)
{
	p->refs++;
	return (p);
}

void
payload_unref(struct payload *p)
{
	if (--p->refs == 0)
		free(p);
}

struct slice
payload_data(const struct payload *p)
{
	return (slice_of(p->bytes + WS_HEAD_MAX, p->len));
}

struct slice
payload_wire(const struct payload *p)
{
	return (slice_of(p->bytes + WS_HEAD_MAX - p->head_len,
	    p->head_len + p->len));
}
