/*
 * Kin are the servers of our own cluster: its nodes reach each other's clients without
 * a forest, so that what comes from them by one is to be dropped.  The Redis of the
 * cluster knows who they are, and what this node is called.
 */
#ifndef SHARDD_FOREST_KIN_H
#define SHARDD_FOREST_KIN_H

struct kin;

#define KIN_ID	8		/* characters of an id that nobody gave */

/* This is the node's server id; valid until kin_free().  Once. */
typedef void	kin_named_cb(const char *server_id, void *arg);
/* err: it is not known. */
typedef void	kin_answer_cb(int is, int err, void *arg);

/* given: the id that the configuration has, or NULL.  The rest comes from kennel.h.  NULL
 * with errno. */
struct kin *kin_new(const char *given, kin_named_cb *cb, void *arg);
/* Those who wait for an answer get an error. */
void	 kin_free(struct kin *k);
/* Is this server kin?  cb is called once, perhaps from within. */
void	 kin_ask(struct kin *k, const char *server_id, kin_answer_cb *cb,
	    void *arg);

#endif
