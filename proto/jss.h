/*
 * JSS: JSON whose keys carry tags for what JSON cannot say ("born<!D>": a date).
 *
 * A tree lives in a pool of memory, with the text it was read from: what stands in
 * it is written again as it came, spelling of numbers, order and tags included.
 * Nodes do not change once they are made, except that containers made here grow; a
 * node that is put into another is copied, its children are shared.
 */
#ifndef PROTO_JSS_H
#define PROTO_JSS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"

#define JSS_DEPTH_MAX	256		/* objects and arrays within each other */
#define JSS_NODES_MAX	200000		/* of one text */

enum jss_kind {
	JSS_NULL, JSS_FALSE, JSS_TRUE, JSS_NUMBER, JSS_STRING, JSS_ARRAY,
	JSS_OBJECT
};

#define JSS_PLAIN	'\0'
#define JSS_DATE	'D'
#define JSS_REGEXP	'R'
#define JSS_ERROR	'E'
#define JSS_UNDEFINED	'U'
#define JSS_SET		'S'
#define JSS_MAP		'M'
#define JSS_POINTER	'P'
#define JSS_LIST	'['		/* an array whose elements have tags */
#define JSS_BYTES	'A'		/* binary that is being uploaded */
#define JSS_BLOB	'B'
#define JSS_LINK	'L'		/* binary to be downloaded */
#define JSS_FILE	'F'		/* a file that clients share */
#define JSS_ODD		'?'		/* a tag that says nothing */

struct jss {
	struct jss	*next;		/* beside it */
	const char	*key;		/* its name, and behind that its tag */
	uint32_t	 name_len;
	uint32_t	 tag_len;	/* bytes of "<!D>" */
	union {
		struct {		/* arrays, objects */
			struct jss	*first, *last;
		};
		struct {		/* strings (as UTF-8), numbers (spelling) */
			const char	*text;	/* terminated */
			size_t		 len;
		};
	};
	uint32_t	 count;		/* of children */
	uint8_t		 kind;		/* enum jss_kind */
	char		 tag;
	uint8_t		 whole;		/* a member of the root, as it was read */
	union {
		struct jss	*target;	/* JSS_POINTER: where it leads */
		void		*bytes;	/* binary: the owner's */
	};
};

/* Memory for trees, freed at once. */
struct jss_block;
struct jss_pool {
	struct jss_block *blocks;
	char		*at;
	size_t		 left;
	size_t		 taken;		/* bytes of blocks */
	size_t		 max;		/* of them; 0: no bound */
	int		 failed;	/* something did not fit */
};

void	 jss_pool_init(struct jss_pool *p, size_t max);
void	 jss_pool_clear(struct jss_pool *p);
void	*jss_alloc(struct jss_pool *p, size_t size);	/* not cleared, or NULL */
/* A terminated copy, or NULL. */
char	*jss_copy(struct jss_pool *p, const char *s, size_t len);

/* ---- reading ---- */

/* What a pointer leads to; others are themselves. */
const struct jss *jss_deref(const struct jss *v);
/* The member of that name (tags do not count), or NULL.  The last of several. */
const struct jss *jss_member(const struct jss *o, const char *name, size_t len);
double	 jss_number(const struct jss *v);		/* NaN if it is none */

/* ---- making: NULL without memory; NULL given gives NULL ---- */

struct jss *jss_new(struct jss_pool *p, enum jss_kind kind, char tag);
struct jss *jss_new_number(struct jss_pool *p, double v, char tag);
struct jss *jss_new_string(struct jss_pool *p, const char *s, size_t len,
	    char tag);
/* Put a copy of v into o under this name, or at the end of an array.  Returns the
 * copy. */
struct jss *jss_put(struct jss_pool *p, struct jss *o, const char *name,
	    const struct jss *v);
struct jss *jss_add(struct jss_pool *p, struct jss *a, const struct jss *v);
/* Hang v itself, which is in nothing yet, behind what is in o. */
void	 jss_hang(struct jss *o, struct jss *v);

/* Bytes at s that stand in a string as they are, looked at eight at a time: none is a
 * quote, a '\', a control character, or begins half a surrogate pair.  There may be more:
 * the last few are not looked at. */
static inline size_t
jss_plain(const char *s, size_t len)
{
	const uint64_t	 ones = UINT64_MAX / 0xff, high = ones << 7;
	uint64_t	 w, quote, back, half, stop;
	size_t		 n = 0;

	for (; len - n >= sizeof(w); n += sizeof(w)) {
		memcpy(&w, s + n, sizeof(w));
		quote = w ^ ones * '"';
		back = w ^ ones * '\\';
		half = w ^ ones * 0xed;
		/* The lowest of these bits is right: above it, what was borrowed. */
		stop = (((quote - ones) & ~quote) | ((back - ones) & ~back) |
		    ((half - ones) & ~half) | ((w - ones * 0x20) & ~w)) & high;
		if (stop != 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			return (n + (size_t)__builtin_ctzll(stop) / 8);
		if (stop != 0)
			break;
	}
	return (n);
}

#endif
