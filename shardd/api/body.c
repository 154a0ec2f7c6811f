/* kennel.h: bodies of requests, as they come or when they are there. */
#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "shardd/api/api.h"
#include "shardd/client/conn.h"
#include "shardd/client/request.h"
#include "shardd/client/spool.h"
#include "shardd/kennel.h"

const char *
kennel_request_body(const struct kennel_request *q, size_t *len)
{
	struct slice	 body = slice_str("");

	if (q != NULL && q->spool != NULL)
		body = spool_map(q->spool);
	else if (q != NULL && q->body.len > 0)
		body = slice_of(q->body.data, q->body.len);
	if (body.data == NULL) {
		log_warn("request body bytes=%llu cannot be mapped: %s",
		    (unsigned long long)spool_len(q->spool), strerror(errno));
		body = slice_str("");
	}
	return (api_slice(body, len));
}

int
kennel_request_body_fd(struct kennel_request *q, uint64_t *len)
{
	struct spool	*s;

	if (q == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (q->spool == NULL) {
		if ((s = spool_new(NULL)) == NULL)
			return (-1);
		/* It is in memory already, and counted as a body. */
		if (spool_add(s, slice_of(q->body.data, q->body.len),
		    UINT64_MAX) == -1) {
			spool_free(s);
			return (-1);
		}
		q->spool = s;
		buf_clear(&q->body);
	}
	if (lseek(spool_fd(q->spool), 0, SEEK_SET) == -1)
		return (-1);
	if (len != NULL)
		*len = spool_len(q->spool);
	return (spool_fd(q->spool));
}

/* Is q's head known and its body not there yet? */
static int
api_before_body(const struct kennel_request *q)
{
	return (q != NULL && q->conn != NULL && q->announced && !q->received);
}

int
kennel_request_stream(struct kennel_request *q)
{
	if (!api_before_body(q) || q->body.len > 0 || q->spool != NULL) {
		errno = q == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	q->streamed = 1;
	return (0);
}

int
kennel_request_max(struct kennel_request *q, uint64_t max)
{
	if (!api_before_body(q)) {
		errno = q == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	q->body_max = max == 0 ? UINT64_MAX : max;
	return (0);
}

void
kennel_request_pause(struct kennel_request *q)
{
	if (api_before_body(q))
		conn_pause(q->conn, PAUSE_APP);
}

void
kennel_request_resume(struct kennel_request *q)
{
	if (api_before_body(q))
		conn_resume(q->conn, PAUSE_APP);
}

void
kennel_request_attach(struct kennel_request *q, void *data)
{
	if (q != NULL)
		q->data = data;
}

void *
kennel_request_attached(const struct kennel_request *q)
{
	return (q == NULL ? NULL : q->data);
}
