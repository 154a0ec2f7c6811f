/* Answers that say what was wrong. */
#ifndef SHARDD_APE_REFUSE_H
#define SHARDD_APE_REFUSE_H

struct kennel_request;

/* Answer with {"error": text}. */
void	 refuse(struct kennel_request *q, int status, const char *text);

#endif
