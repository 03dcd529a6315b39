"""`/transcripts/`: the pages that answers cite."""

from django.urls import path

from transcripts import views

app_name = "transcripts"
urlpatterns = [
    path("", views.transcript_list, name="list"),
    path("<slug:slug>/", views.transcript, name="transcript"),
]
