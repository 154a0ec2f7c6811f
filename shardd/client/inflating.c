/* A compressed message that is decompressed in steps, a turn of the loop each. */
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "shardd/client/inflating.h"

#define INFLATING_STEP	(64 << 10)	/* decompressed without asking the budget */

uint16_t
inflating_some(struct ws_inflater *z, struct buf *plain, size_t max,
    struct slice *in)
{
	uint16_t	 code;
	size_t		 before;

	do {
		before = plain->len;
		code = ws_inflate_some(z, plain, max, in, INFLATING_STEP);
		budget_charge(2 * (plain->len - before));
	} while (code == WS_INFLATE_MORE && !budget_over());
	return (code);
}

struct inflating *
inflating_new(enum ws_opcode opcode, struct ws_inflater *z, struct buf *plain,
    struct slice in)
{
	struct inflating	*i;

	if ((i = calloc(1, sizeof(*i))) == NULL)
		return (NULL);
	if (buf_add(&i->bytes, in.data, in.len) == -1) {
		buf_clear(&i->bytes);
		free(i);
		return (NULL);
	}
	i->z = z;
	i->plain = *plain;
	memset(plain, 0, sizeof(*plain));
	i->opcode = opcode;
	return (i);
}

void
inflating_free(struct inflating *i)
{
	ws_inflater_put(i->z);
	buf_clear(&i->plain);
	buf_clear(&i->bytes);
	free(i);
}

uint16_t
inflating_go_on(struct inflating *i, size_t max)
{
	struct slice	 in;
	uint16_t	 code;

	in = slice_of(i->bytes.data + i->used, i->bytes.len - i->used);
	code = inflating_some(i->z, &i->plain, max, &in);
	i->used = i->bytes.len - in.len;
	return (code);
}

size_t
inflating_size(const struct inflating *i)
{
	return (i->bytes.cap + i->plain.cap);
}
