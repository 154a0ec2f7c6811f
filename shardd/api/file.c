/* kennel.h: files as answers. */
#include <sys/stat.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "proto/http_reply.h"
#include "shardd/api/entity.h"
#include "shardd/client/http.h"
#include "shardd/client/outfile.h"
#include "shardd/client/request.h"
#include "shardd/kennel.h"

/* What is to be sent: a part of a file, and all of it that there is. */
struct api_part {
	int		 fd;
	uint64_t	 at, len;
	struct stat	 st;
};

/* May it be an answer?  0, or -1 and what is wrong. */
static int
api_part_check(struct api_part *p, int status, const char *type,
    const char **why)
{
	uint64_t	 size;

	*why = "status or type";
	if (status < 200 || status > 599 || status == 204 || status == 304 ||
	    (type != NULL && !http_field_ok(slice_str("t"), slice_str(type))))
		return (-1);
	*why = "not a regular file";
	if (fstat(p->fd, &p->st) == -1 || !S_ISREG(p->st.st_mode))
		return (-1);
	*why = "beyond the end of the file";
	size = (uint64_t)p->st.st_size;
	if (p->at > size)
		return (-1);
	if (p->len == UINT64_MAX)
		p->len = size - p->at;
	return (p->len > size - p->at ? -1 : 0);
}

/* The tag of what the file holds there now. */
static void
api_part_tag(const struct api_part *p, char *out, size_t size)
{
	snprintf(out, size, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%" PRIx64
	    "-%" PRIx64 "-%" PRIx64 "\"", (uint64_t)p->st.st_dev,
	    (uint64_t)p->st.st_ino, (uint64_t)p->st.st_mtim.tv_sec,
	    (uint64_t)p->st.st_mtim.tv_nsec, p->at, p->len);
}

/* What of it is asked for: the status to answer with. */
static int
api_part_ask(struct kennel_request *q, struct api_part *p)
{
	struct http_range	 range;
	char			 text[160];
	uint64_t		 size = p->len;
	int			 status;

	api_part_tag(p, text, sizeof(text));
	status = entity_ask(q, text, p->st.st_mtim.tv_sec, size, &range);
	if (status == 206) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%"
		    PRIu64, range.first, range.first + range.len - 1, size);
		kennel_header(q, "Content-Range", text);
		p->at += range.first;
		p->len = range.len;
	}
	return (status);
}

void
kennel_respond_fd(struct kennel_request *q, int status, const char *type,
    int fd, uint64_t offset, uint64_t length)
{
	struct api_part	 p = { .fd = fd, .at = offset, .len = length };
	struct outfile	*o;
	const char	*why;

	if (q == NULL)
		return;
	if (api_part_check(&p, status, type, &why) == -1) {
		log_warn("respond fd=%d status=%d: %s", fd, status, why);
		kennel_respond(q, 500, NULL, NULL, 0);
		return;
	}
	if (status == 200 && (slice_is(q->h.method, "GET") ||
	    slice_is(q->h.method, "HEAD"))) {
		status = api_part_ask(q, &p);
		if (status != 200 && status != 206)
			return;
	}
	if ((o = outfile_new(fd, p.at, p.len)) == NULL) {
		log_warn("respond fd=%d: %s", fd, strerror(errno));
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	http_answer_file(q, status, type, o, p.len);
}
