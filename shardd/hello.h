/* Who this shard is and what it has, for a gateway that does not know it. */
#ifndef SHARDD_HELLO_H
#define SHARDD_HELLO_H

struct control;
struct worker;

/* HELLO, all that there is, HELD. */
void	 hello_say(struct worker *w, struct control *c);

#endif
