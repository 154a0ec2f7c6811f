/*
 * msgpack with limits: written by msgpack-c, and read in place.
 *
 * Every message of ours is one array: its type, then its fields in order.
 * Fields may be added at the end; a reader takes what it knows.
 */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define PACK_DEPTH	4	/* arrays within arrays, the outermost counted */
#define PACK_ITEMS_MAX	(16 << 10)	/* elements of all arrays together */

/* Writing appends to b; failures stick in b->failed. */
void	 pack_array(struct buf *b, size_t n);
void	 pack_u64(struct buf *b, uint64_t v);
void	 pack_str(struct buf *b, struct slice s);	/* as msgpack bin */
/* Only the header of a string of len bytes, which the caller sends after b. */
void	 pack_str_head(struct buf *b, size_t len);
void	 pack_nil(struct buf *b);

/*
 * A cursor over the elements of one array.  A wrong type, a missing element or
 * a value out of range sets bad, and reads give 0 or empty from then on: check
 * once, at the end.  Slices borrow from the bytes given to pack_open.
 */
struct pack_in {
	const uint8_t	*at, *end;
	size_t		 left;		/* elements */
	int		 bad;
};

/*
 * Check data[0..len) and open it: exactly one array, of known types only, every
 * count bounded by the bytes present, at most PACK_DEPTH deep and PACK_ITEMS_MAX
 * wide.  Allocates nothing; valid as long as data.  0, or -1 with errno EPROTO.
 */
int	 pack_open(struct pack_in *in, const void *data, size_t len);
uint64_t pack_in_u64(struct pack_in *in, uint64_t max);	/* above max: bad */
struct slice pack_in_str(struct pack_in *in, size_t max);	/* bin or str */
/* The next element as an array of its own: returns its cursor. */
struct pack_in pack_in_array(struct pack_in *in);
size_t	 pack_in_left(const struct pack_in *in);

/* A member of a struct, for the tables of messages. */
enum pack_kind { PACK_U32, PACK_U64, PACK_SLICE };
struct pack_field {
	enum pack_kind	 kind;
	size_t		 offset;
	uint64_t	 max;		/* of the value, or of the length */
};
/* Above max: b->failed is set on writing, bad on reading. */
void	 pack_field(struct buf *b, const struct pack_field *f,
	    const void *from);
void	 pack_in_field(struct pack_in *in, const struct pack_field *f,
	    void *to);

#endif
