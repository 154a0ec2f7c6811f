/* Answers that say what was wrong. */
#include <string.h>

#include "proto/jss_write.h"
#include "shardd/ape/refuse.h"
#include "shardd/kennel.h"

void
refuse(struct kennel_request *q, int status, const char *text)
{
	struct buf	 b = { 0 };

	buf_adds(&b, "{\"error\":");
	jss_write_string(&b, text, strlen(text));
	buf_adds(&b, "}");
	kennel_respond(q, status, "application/json", b.data,
	    b.failed ? 0 : b.len);
	buf_clear(&b);
}
