/*
 * What other servers of a forest say, by Redis or by PostgreSQL: any bytes as a missive, and
 * any text as a notification with one in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jss_write.h"
#include "shardd/forest/envelope.h"
#include "shardd/forest/missive.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is a slice empty, or in the text? */
static int
is_in(struct slice s, struct slice text)
{
	return (s.len == 0 || (s.data >= text.data && s.len <= text.len &&
	    s.data + s.len <= text.data + text.len));
}

/* Read a missive; one that is understood can be pushed on, and is still understood. */
static void
missive(struct slice text)
{
	struct missive	 l, again;
	struct buf	 b = { .max = 8 << 20 };
	char		 sender[65];

	if (missive_sender(sender, sizeof(sender), text.data, text.len) !=
	    strlen(sender))
		abort();
	if (missive_read(&l, text.data, text.len) == 0) {
		if (l.type == NULL || (l.dest != NULL && strlen(l.dest) >
		    MISSIVE_CLIENT) || (l.except != NULL && strlen(l.except) >
		    MISSIVE_CLIENT))
			abort();
		buf_adds(&b, "{\"type\":");
		jss_write_string(&b, l.type, strlen(l.type));
		if (l.data != NULL) {
			buf_adds(&b, ",");
			jss_write_member(&b, "data", l.data, NULL, NULL);
		}
		buf_adds(&b, "}");
		if (!b.failed) {
			if (missive_read(&again, b.data, b.len) == 0 &&
			    (strcmp(again.type, l.type) != 0 ||
			    (again.data == NULL) != (l.data == NULL)))
				abort();
			missive_clear(&again);
		}
	}
	missive_clear(&l);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice	 text = slice_of((const char *)data, size);
	struct envelope	 e;

	missive(text);
	if (envelope_read(&e, text) == 0) {
		if (e.sender.len == 0 || !is_in(e.sender, text) ||
		    !is_in(e.target, text) || !is_in(e.message, text) ||
		    !is_in(e.id, text))
			abort();
		missive(e.message);
	}
	return (0);
}
