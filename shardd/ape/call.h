/* A call of a controller, from the text that a client sends to the answer. */
#ifndef SHARDD_APE_CALL_H
#define SHARDD_APE_CALL_H

#include "common/list.h"
#include "proto/jss.h"
#include "shardd/ape/gather.h"
#include "shardd/ape/room.h"

struct endpoint;

struct ape_call {
	struct list	 by_client;	/* client->calls */
	struct list	 by_room;	/* room->calls */
	struct ape_client *client;	/* NULL: it has gone, or was none */
	struct room	*room;
	struct kennel_request *request;	/* a POST; else NULL */
	const struct endpoint *endpoint;	/* NULL: nobody has called */
	const struct jss *argument;
	const struct jss *agent;	/* once it was asked for */
	const char	*query;		/* the name to answer under */
	const char	*session_id;
	char		 id[APE_ID + 1], session[APE_ID + 1];
	struct part	*parts;		/* binary that it has */
	struct gather	 gather;	/* what it waits for */
	struct jss_pool	 pool;		/* this struct, and all that belongs to it */
};

/* A call of nobody in room.  NULL without memory. */
struct ape_call *call_new(struct room *room);
/* A text of a client: it is served, refused with an answer, or no call. */
void	 call_message(struct ape_client *c, const char *text, size_t len,
	    int checked);
/* The same, of a request that belongs to this session; it is answered. */
void	 call_request(struct kennel_request *q, const char *session);
/* The client is ready: what it said meanwhile. */
void	 call_waited(struct ape_client *c);
/* The client has gone: its calls are answered to nobody. */
void	 call_abandon(struct ape_client *c);

#endif
