"""The text of the recognition benchmark, with a Portuguese translation made by hand.

Paragraphs are far enough apart that no unit for translation reaches from one into the next, so
that translations can be compared paragraph by paragraph however the speech was cut. Inside a
sentence ``|`` marks a pause of the given length: speakers stop to think.
"""

from __future__ import annotations

PARAGRAPHS: tuple[tuple[str, str], ...] = (
    (
        "Good evening, and thank you for coming to the museum tonight. My name is Thomas, and I "
        "have worked in this building for almost thirty years.",
        "Boa noite e obrigado por virem ao museu esta noite. Meu nome é Thomas e trabalho neste "
        "prédio há quase trinta anos.",
    ),
    (
        "When I started here, the roof was leaking, the windows were broken, and nobody believed "
        "that visitors would ever come back. We were wrong.",
        "Quando comecei aqui, o telhado vazava, as janelas estavam quebradas e ninguém acreditava "
        "que os visitantes voltariam algum dia. Estávamos errados.",
    ),
    (
        "The first room shows the maps that sailors used | before anybody knew how large the ocean "
        "was. Look at the edges of the paper. You can still see the marks of their fingers.",
        "A primeira sala mostra os mapas que os marinheiros usavam antes que alguém soubesse o "
        "tamanho do oceano. Olhem para as bordas do papel. Ainda é possível ver as marcas dos "
        "dedos deles.",
    ),
    (
        "This ship left the harbour in the spring with sixty men on board, and it came back two "
        "years later with only eighteen of them. The captain wrote a letter to his wife every "
        "evening, although he could not send a single one.",
        "Este navio deixou o porto na primavera com sessenta homens a bordo e voltou dois anos "
        "depois com apenas dezoito deles. O capitão escrevia uma carta para a esposa todas as "
        "noites, embora não pudesse enviar nenhuma.",
    ),
    (
        "Please do not touch the glass. The letters are very old, and the light in this room is "
        "low | because bright light would destroy the ink.",
        "Por favor, não toquem no vidro. As cartas são muito antigas e a luz nesta sala é fraca "
        "porque a luz forte destruiria a tinta.",
    ),
    (
        "Do you have any questions so far? Good. Then let us go up the stairs to the second floor, "
        "where we keep the paintings.",
        "Vocês têm alguma pergunta até agora? Bom. Então vamos subir as escadas até o segundo "
        "andar, onde guardamos as pinturas.",
    ),
    (
        "The woman in the red dress was a doctor. She opened the first hospital in this city and "
        "treated poor families for free until the day she died. Her son gave us the picture last "
        "year.",
        "A mulher de vestido vermelho era médica. Ela abriu o primeiro hospital desta cidade e "
        "tratou famílias pobres de graça até o dia em que morreu. O filho dela nos deu o quadro no "
        "ano passado.",
    ),
    (
        "Some people say that a painting should be beautiful. I think that a painting should be "
        "true, and the truth is not always easy to look at.",
        "Algumas pessoas dizem que uma pintura deve ser bonita. Eu acho que uma pintura deve ser "
        "verdadeira, e a verdade nem sempre é fácil de olhar.",
    ),
    (
        "If you come back in the morning, | the café on the ground floor serves fresh bread and "
        "strong coffee. It opens at nine. The garden behind it is free for everybody.",
        "Se vocês voltarem pela manhã, o café no térreo serve pão fresco e café forte. Ele abre às "
        "nove. O jardim atrás dele é gratuito para todos.",
    ),
    (
        "We close in twenty minutes. Take your time, walk slowly, and do not forget your coats. It "
        "was a pleasure to have you here.",
        "Fechamos em vinte minutos. Não tenham pressa, andem devagar e não esqueçam seus casacos. "
        "Foi um prazer ter vocês aqui.",
    ),
)
