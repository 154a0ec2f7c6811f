/*
 * The answer of another server, head and body: however it is cut, it reads the same.  The
 * first byte says how: its bits are taken in turn, 1 for a byte alone, 0 for seven.
 */
#include <stdint.h>
#include <stdlib.h>

#include "proto/http_answer.h"
#include "proto/http_body.h"

#define MAX	4096

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	enum parse	 r;
	int		 status;
	size_t		 head_len, used;
	struct buf	 body;
};

/* Read text with those cuts (0: whole). */
static void
read_answer(struct reading *x, const char *text, size_t len, unsigned cuts)
{
	static struct http_answer a;
	static struct http_head	 h;
	struct http_body	 b;
	size_t			 have = 0, at, used, turn = 0, n;
	int			 head = 1;

	*x = (struct reading){ .r = PARSE_MORE };
	do {
		n = cuts == 0 ? len : have + (cuts >> turn++ % 8 & 1 ? 1 : 7);
		n = n > len ? len : n;
		if (head) {
			have = n;
			if ((x->r = http_answer_parse(&a, text, have)) !=
			    PARSE_DONE)
				continue;
			if (a.head_len == 0 || a.head_len > have ||
			    a.status < 100 || a.status > 599 ||
			    a.nheaders > HTTP_ANSWER_FIELDS)
				abort();
			for (size_t i = 0; i < a.nheaders; i++)
				if (http_answer_field(&a, "no such name").data !=
				    NULL || a.headers[i].name.len == 0)
					abort();
			head = 0;
			x->status = a.status;
			x->head_len = a.head_len;
			h.chunked = a.chunked;
			h.length = a.length;
			http_body_init(&b, &h, MAX);
			at = a.head_len;
		} else {
			at = have;
			have = n;
		}
		x->r = http_body_feed(&b, text + at, have - at, &used, &x->body);
		if (used > have - at || x->body.len > MAX)
			abort();
		x->used += used;
	} while (x->r == PARSE_MORE && have < len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading	 whole, cut;

	if (size < 2)
		return (0);
	read_answer(&whole, (const char *)data + 1, size - 1, 0);
	read_answer(&cut, (const char *)data + 1, size - 1, data[0] | 1);
	if (whole.r != cut.r || whole.status != cut.status ||
	    whole.head_len != cut.head_len || (whole.r != PARSE_BAD &&
	    (whole.used != cut.used || !slice_eq(slice_of(whole.body.data,
	    whole.body.len), slice_of(cut.body.data, cut.body.len)))))
		abort();
	buf_clear(&whole.body);
	buf_clear(&cut.body);
	return (0);
}
