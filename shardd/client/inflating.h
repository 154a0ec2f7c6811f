/* A compressed message that is decompressed in steps, a turn of the loop each. */
#ifndef SHARDD_INFLATING_H
#define SHARDD_INFLATING_H

#include "common/bytes.h"
#include "proto/ws_deflate.h"
#include "proto/ws_frame.h"

/* A message of which a part is decompressed: the rest is another turn's. */
struct inflating {
	struct ws_inflater *z;
	struct buf	 plain;
	struct buf	 bytes;		/* compressed */
	size_t		 used;		/* of them */
	enum ws_opcode	 opcode;
};

/*
 * Decompress as much of in as the turn has time for, to at most max bytes in
 * plain.  Returns 0 when it is done, WS_INFLATE_MORE, or a close code.
 */
uint16_t inflating_some(struct ws_inflater *z, struct buf *plain, size_t max,
	    struct slice *in);
/*
 * Keep what is left: in is copied; z and what plain holds are taken.  NULL without
 * memory, and nothing taken.
 */
struct inflating *inflating_new(enum ws_opcode opcode, struct ws_inflater *z,
	    struct buf *plain, struct slice in);
void	 inflating_free(struct inflating *i);
/* The next step: as inflating_some(). */
uint16_t inflating_go_on(struct inflating *i, size_t max);
/* Bytes of memory. */
size_t	 inflating_size(const struct inflating *i);

#endif
