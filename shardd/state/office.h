/*
 * The office of an authority: who the members are and what they have, what waits to be
 * decided, and the batch that is being written.
 */
#ifndef SHARDD_OFFICE_H
#define SHARDD_OFFICE_H

#include "shardd/state/inside.h"

void	 office_restless(struct authority *a);	/* it is to be ticked */
/* 0, or -1 with errno (authority_ops). */
int	 office_tell(struct authority *a, uint64_t to, struct gossip *m);
void	 office_send_state(struct authority *a, uint64_t to);
void	 office_send_since(struct authority *a, uint64_t to, uint64_t pos);

/* ---- members ---- */

/* NULL: no member has that id. */
struct member *office_member(struct authority *a, uint64_t id);
void	 member_free(struct member *m);
void	 office_forget_members(struct authority *a);
/* k has said that it has what stands up to pos. */
void	 office_heard_ack(struct authority *a, struct member *k, uint64_t pos);
/* How far have all members come?  Those that asked are told.  Returns whether one is
 * waited for. */
int	 office_settle(struct authority *a);
/* m gets what it has missed. */
void	 office_bring_up(struct authority *a, struct member *m);

/* ---- deciding ---- */

/* A step of origin (number 0: its end) is to be decided, behind its step `after`.  0,
 * or -1: too much waits. */
int	 office_propose(struct authority *a, uint64_t origin, uint64_t number,
	    uint64_t after, struct slice data);
/* Once, whatever it was that brought us to it. */
void	 office_propose_end(struct authority *a, uint64_t origin);
void	 office_work(void *arg);	/* turn work: decides what waits */
/* Whatever office it had, it has no more. */
void	 office_step_down(struct authority *a);
/* The batch did not take effect: its steps are to be decided again. */
void	 office_unbatch(struct authority *a);
void	 office_touched(struct authority *a);	/* Redis heard that it is used */
void	 proposals_free(struct list *proposals);

/* ---- our own steps ---- */

void	 office_send_step(struct authority *a, struct step *s);
/* All that were not answered, to whoever decides. */
void	 office_resend(struct authority *a);

/* Look for keys whose time has ended, if it is time to: a step that removes them is
 * proposed.  Is there any key that has a time? */
int	 office_expire(struct authority *a);

#endif
