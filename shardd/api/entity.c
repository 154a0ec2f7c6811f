/* What a response is of: its tag, its date, and what the request wants of it. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/http_reply.h"
#include "shardd/api/entity.h"
#include "shardd/client/http.h"
#include "shardd/client/request.h"

/* Add a field that the application has not given. */
static void
entity_add(struct kennel_request *q, const char *name, const char *value)
{
	if (value != NULL && *value != '\0' && !request_says(q, name))
		buf_addf(&q->extra, "%s: %s\r\n", name, value);
}

int
entity_ask(struct kennel_request *q, const char *etag, time_t modified,
    uint64_t size, struct http_range *range)
{
	struct http_entity	 e = { .size = size };
	struct slice		 date;
	char			 text[64];
	int			 status;

	entity_add(q, "ETag", etag);
	if (modified != 0) {
		http_date_write(text, modified);
		entity_add(q, "Last-Modified", text);
	}
	if (range != NULL)
		entity_add(q, "Accept-Ranges", "bytes");
	e.etag = request_said(q, "ETag");
	date = request_said(q, "Last-Modified");
	if (date.data == NULL || http_date_read(date, &e.modified) == -1)
		e.modified = 0;
	status = http_condition(&q->h, &e, range);
	if (status == 416)
		buf_addf(&q->extra, "Content-Range: bytes */%" PRIu64 "\r\n",
		    size);
	if (status == 304)
		http_answer(q, status, NULL, slice_of(NULL, 0));
	else if (status > 206) {
		snprintf(text, sizeof(text), "%s\n", http_status_text(status));
		http_answer(q, status, "text/plain", slice_str(text));
	}
	return (status);
}
