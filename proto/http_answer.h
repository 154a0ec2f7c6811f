/*
 * The head of an HTTP/1.1 response, strictly as RFC 9112 has it: what a server of ours is
 * answered by another one.
 */
#ifndef PROTO_HTTP_ANSWER_H
#define PROTO_HTTP_ANSWER_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/http_head.h"
#include "proto/parse.h"

#define HTTP_ANSWER_MAX		8192	/* bytes of the head */
#define HTTP_ANSWER_FIELDS	64

struct http_answer {
	int		 status;	/* 100..599 */
	int		 chunked;
	int		 has_length;
	uint64_t	 length;
	size_t		 head_len;	/* bytes, the empty line included */
	size_t		 nheaders;
	struct http_header headers[HTTP_ANSWER_FIELDS];
};

/*
 * Parse buf, which holds all bytes so far; slices point into it.  BAD: it is no such
 * head, is too long, has too many fields, or says its length twice, in two ways, or not in
 * digits.
 */
enum parse http_answer_parse(struct http_answer *a, const char *buf, size_t len);
/* The value of the first field of this name (any case); data NULL: there is none. */
struct slice http_answer_field(const struct http_answer *a, const char *name);

#endif
