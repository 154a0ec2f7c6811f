/*
 * One HTTP request, which kennel.h calls struct kennel_request: what of it the
 * application may keep until it has answered, even if the client goes.
 */
#ifndef SHARDD_REQUEST_H
#define SHARDD_REQUEST_H

#include "common/bytes.h"
#include "proto/http_head.h"

struct conn;
struct kennel_app;
struct options;
struct spool;
struct policy;

struct request_text {			/* a string handed to the application */
	struct request_text *next;
	char		 s[];
};

struct kennel_request {
	struct conn	*conn;		/* NULL: the client has gone */
	uint64_t	 replica;	/* 0: none */
	struct buf	 bytes;		/* the head that h points into */
	struct buf	 body;		/* what is in memory of it */
	struct spool	*spool;		/* all of it, where it is long, or NULL */
	uint64_t	 body_max;	/* bytes that are taken */
	const struct kennel_app *app;
	void		*data;		/* the application's */
	struct buf	 extra;		/* header lines for the response */
	struct request_text *texts;
	uint8_t		 announced;	/* the application knows of it */
	uint8_t		 streamed;	/* and takes its body as it comes */
	uint8_t		 received;	/* and has it, to be answered */
	const struct policy *route;	/* what it matched; NULL: not known */
	uint8_t		 told;		/* CAPSULE_F_* of how it came */
	struct slice	 uid, group, peer;	/* into text */
	struct http_head h;
	char		 text[];	/* the request may outlive conn; terminated */
};

/* A request of c to that replica of group; 0: to none.  NULL without memory. */
struct kennel_request *request_new(struct conn *c, struct slice group,
	    uint64_t replica);
void	 request_free(struct kennel_request *q);
/* A terminated copy that lives as long as q; NULL without memory. */
const char *request_text(struct kennel_request *q, struct slice s);
/* The body's bytes in memory go to its file, if there are more than o keeps there.  0, or
 * -1: no room, as the log says. */
int	 request_spool(struct kennel_request *q, const struct options *o);
/* The header field of that name that the application has given; data NULL: none. */
struct slice request_said(const struct kennel_request *q, const char *name);
static inline int
request_says(const struct kennel_request *q, const char *name)
{
	return (request_said(q, name).data != NULL);
}

#endif
