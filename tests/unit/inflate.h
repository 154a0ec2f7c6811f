/* A whole message at once, as a browser has it. */
#ifndef TESTS_INFLATE_H
#define TESTS_INFLATE_H

#include "proto/ws_deflate.h"

/* As ws_inflate_some(), until the message is whole or refused. */
static inline uint16_t
ws_inflate(struct buf *out, size_t max, struct slice in)
{
	struct ws_inflater	*i = ws_inflater_get();
	uint16_t		 code;

	if (i == NULL)
		return (1009);
	do
		code = ws_inflate_some(i, out, max, &in, SIZE_MAX);
	while (code == WS_INFLATE_MORE);
	ws_inflater_put(i);
	return (code);
}

#endif
