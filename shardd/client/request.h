/* What kennel.h calls struct kennel_request. */
#ifndef SHARDD_REQUEST_H
#define SHARDD_REQUEST_H

#include "common/bytes.h"
#include "proto/http_head.h"

struct conn;
struct worker;

struct request_text {			/* a string handed to the application */
	struct request_text *next;
	char		 s[];
};

struct kennel_request {
	struct conn	*conn;		/* NULL: the client has gone */
	struct worker	*worker;
	uint64_t	 replica;	/* 0: none */
	struct buf	 bytes;		/* the head that h points into */
	struct buf	 body;
	struct buf	 extra;		/* header lines for the response */
	struct request_text *texts;
	int		 received;	/* the application has it */
	struct slice	 uid, group, peer;	/* into text */
	struct http_head h;
	char		 text[];	/* for it may outlive conn; terminated */
};

struct kennel_request *request_new(struct conn *c);
void	 request_free(struct kennel_request *q);

/* conn_http.c: the application's answer; q is freed. */
void	 conn_http_answer(struct kennel_request *q, int status,
	    const char *type, struct slice body);
void	 conn_http_upgrade(struct kennel_request *q);

#endif
