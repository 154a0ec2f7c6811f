/*
 * msgpack with limits: written by msgpack-c, and read in place.
 *
 * Every message of ours is one array: its type, then its fields in order, as a row
 * of a table says.  Fields may be added at the end of a row, behind PACK_LATER: an
 * older reader passes over them, and a newer one reads what an older sender leaves
 * out as 0 or empty.
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
/* The same of an array that other bytes follow: they are *rest. */
int	 pack_open_head(struct pack_in *in, const void *data, size_t len,
	    struct slice *rest);
uint64_t pack_in_u64(struct pack_in *in, uint64_t max);	/* above max: bad */
struct slice pack_in_str(struct pack_in *in, size_t max);	/* bin or str */
/* The next element as an array of its own: returns its cursor. */
struct pack_in pack_in_array(struct pack_in *in);
size_t	 pack_in_left(const struct pack_in *in);

/* A member of a struct, for the tables of messages.  PACK_BEHIND: a slice of which
 * the array has the length only; the bytes follow the array. */
enum pack_kind { PACK_U32, PACK_U64, PACK_SLICE, PACK_BEHIND };
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

/*
 * A row of a table of messages: indices into the table of its fields, up to
 * PACK_END.  Those before PACK_LATER are always there.
 */
enum { PACK_END, PACK_LATER, PACK_FIRST };	/* FIRST: of the fields */
#define PACK_ROW	14		/* fields of a row, with PACK_LATER */

/* One array: type, and the fields of the row; those behind PACK_LATER only with later. */
void	 pack_row(struct buf *b, uint64_t type, const uint8_t row[PACK_ROW],
	    const struct pack_field *fields, const void *from, int later);
/* Read what follows the type into *to, which is cleared.  Fields that an older sender
 * does not know are left alone. */
void	 pack_in_row(struct pack_in *in, const uint8_t row[PACK_ROW],
	    const struct pack_field *fields, void *to);

#endif
