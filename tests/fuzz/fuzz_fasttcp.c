/*
 * Frames decoded whole give the same as cut anywhere.  The first byte chooses dialect and
 * limit, the second how many more say where to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fasttcp.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What f may be, and what it becomes when it is written again. */
static void
check(const struct fasttcp_in *in, const struct fasttcp_frame *f)
{
	char	*out;
	size_t	 n;

	if (f->type == FASTTCP_UNKNOWN)
		return;
	if (f->data.len > in->max || f->data_type < FASTTCP_STRING ||
	    f->data_type > FASTTCP_EMPTY ||
	    (f->data_type == FASTTCP_INTEGER &&
	    (f->data.len < 1 || f->data.len > FASTTCP_INTEGER_LEN)) ||
	    (f->data_type == FASTTCP_DECIMAL &&
	    f->data.len != FASTTCP_DECIMAL_LEN) ||
	    (f->data_type == FASTTCP_BOOLEAN && f->data.len != 1) ||
	    (f->data_type == FASTTCP_EMPTY && f->data.len != 0))
		abort();
	if (f->data_type == FASTTCP_INTEGER)
		fasttcp_get_integer(f->data);
	if (f->data_type == FASTTCP_DECIMAL)
		fasttcp_get_decimal(f->data);
	n = fasttcp_head_len(in->dialect, f);
	if (n == 0 || (out = malloc(n)) == NULL)
		abort();
	if (fasttcp_head(out, in->dialect, f) != n)
		abort();
	free(out);
}

/* Note f; the parts of a stream's bytes one behind another. */
static void
note(struct buf *b, const struct fasttcp_frame *f, int64_t *stream)
{
	if (f->type != FASTTCP_STREAM_DATA || f->data_type != FASTTCP_BINARY ||
	    (int64_t)f->id != *stream)
		buf_addf(b, "\n%d %u %u ", f->type, f->data_type, f->id);
	*stream = f->type == FASTTCP_STREAM_DATA &&
	    f->data_type == FASTTCP_BINARY ? (int64_t)f->id : -1;
	if (*stream == -1)
		buf_add(b, f->event.data, f->event.len);
	buf_add(b, f->data.data, f->data.len);
}

/* All of it, with more coming in pieces of the sizes that cuts says. */
static void
decode(struct buf *seen, int which, const uint8_t *data, size_t size,
    const uint8_t *cuts, size_t ncuts)
{
	struct fasttcp_in	 in = { .max = (which & 2) ? 1 << 20 : 300 };
	struct fasttcp_frame	 f;
	enum fasttcp_verdict	 v = FASTTCP_MORE;
	const char		*why;
	int64_t			 stream = -1;
	size_t			 at = 0, here = 0, used;
	char			*piece;

	in.dialect = (which & 1) ? fasttcp_d2 : fasttcp_d1;
	for (size_t i = 0; here < size && v != FASTTCP_BAD; i++) {
		here += ncuts == 0 ? size : 1u + cuts[i % ncuts];
		if (here > size)
			here = size;
		do {
			if ((piece = malloc(here - at + 1)) == NULL)
				abort();
			memcpy(piece, data + at, here - at);
			v = fasttcp_next(&in, slice_of(piece, here - at),
			    &used, &f, &why);
			if (used > here - at || (v == FASTTCP_BAD) !=
			    (why != NULL))
				abort();
			if (v == FASTTCP_GOT) {
				check(&in, &f);
				note(seen, &f, &stream);
			}
			at += used;
			free(piece);
		} while (v == FASTTCP_GOT);
	}
	buf_addf(seen, "\n%s", v == FASTTCP_BAD ? why : "");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	 whole = { 0 }, cut = { 0 };
	size_t		 ncuts;

	if (size < 2)
		return (0);
	ncuts = 1u + data[1] % 8;
	if (size - 2 < ncuts)
		return (0);
	decode(&whole, data[0], data + 2 + ncuts, size - 2 - ncuts, NULL, 0);
	decode(&cut, data[0], data + 2 + ncuts, size - 2 - ncuts, data + 2,
	    ncuts);
	if (!slice_eq(slice_of(whole.data, whole.len),
	    slice_of(cut.data, cut.len)))
		abort();
	buf_clear(&whole);
	buf_clear(&cut);
	return (0);
}
