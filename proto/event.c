/* Server-sent events: one event as its lines. */
#include <openssl/evp.h>

#include "proto/event.h"

#define EVENT_BASE64_STEP	(48 << 10)	/* a multiple of 3 */

int
event_line_ok(const char *s)
{
	return (s == NULL || s[strcspn(s, "\r\n")] == '\0');
}

/* One field in its line. */
static void
event_field(struct buf *b, const char *field, struct slice value)
{
	buf_adds(b, field);
	buf_adds(b, ": ");
	buf_add(b, value.data, value.len);
	buf_adds(b, "\n");
}

/* Bytes of the first line of s, its end not among them. */
static size_t
event_line_len(struct slice s)
{
	const char	*lf = s.len == 0 ? NULL : memchr(s.data, '\n', s.len);
	size_t		 n = lf == NULL ? s.len : (size_t)(lf - s.data);
	const char	*cr = n == 0 ? NULL : memchr(s.data, '\r', n);

	return (cr == NULL ? n : (size_t)(cr - s.data));
}

/* Each line of data. */
static void
event_data(struct buf *b, struct slice data)
{
	size_t	 n;

	for (;;) {
		n = event_line_len(data);
		event_field(b, "data", slice_of(data.data, n));
		if (n == data.len)
			return;
		n += n + 1 < data.len && data.data[n] == '\r' &&
		    data.data[n + 1] == '\n' ? 2 : 1;
		data.data += n;
		data.len -= n;
	}
}

void
event_encode(struct buf *b, const struct event_out *e)
{
	if (e->retry != 0)
		buf_addf(b, "retry: %u\n", (unsigned)e->retry);
	if (e->id != NULL)
		event_field(b, "id", slice_str(e->id));
	if (e->name != NULL)
		event_field(b, "event", slice_str(e->name));
	event_data(b, e->data);
	buf_adds(b, "\n");
}

void
event_encode_binary(struct buf *b, struct slice data)
{
	size_t	 n;
	char	*at;

	buf_adds(b, "event: binary\ndata: ");
	while (data.len > 0) {
		n = data.len < EVENT_BASE64_STEP ? data.len : EVENT_BASE64_STEP;
		if ((at = buf_reserve(b, (n + 2) / 3 * 4 + 1)) == NULL)
			return;
		b->len += (size_t)EVP_EncodeBlock((unsigned char *)at,
		    (const unsigned char *)data.data, (int)n);
		data.data += n;
		data.len -= n;
	}
	buf_adds(b, "\n\n");
}
